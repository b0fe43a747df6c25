from shared.config import ServiceSettings


class CatalogSettings(ServiceSettings):
    """Catalog needs nothing that the other services don't."""

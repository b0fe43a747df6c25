from shared.config import ServiceSettings


class CatalogSettings(ServiceSettings):
    """With `MODERATE_NEW_SERVICES`, what is offered waits for an admin's approval before anyone else sees it."""

    moderate_new_services: bool = False

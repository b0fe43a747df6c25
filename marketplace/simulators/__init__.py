"""Payme and Click played by their documents, against a running system and over HTTP alone.

Nothing here imports the services: what plays the other side must not share their mistakes.
"""

"""The web interface: static pages that talk to the gateway and the REST API; nothing is loaded from elsewhere."""

"""Who may use a gateway: the contract of authentication providers, and the built-in ones."""

"""Agents that speak HTTP: requests to any service, invocations of LangServe chains."""

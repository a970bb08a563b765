"""What agent authors see: the public classes of custom agents, and the contract the runtime drives agents by."""

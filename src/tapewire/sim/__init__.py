"""The exchange on the other side: market, faults, peer, scenario, server."""

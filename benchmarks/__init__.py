"""What is measured: the fault lab, the client for the load bench, memory over ten million messages."""

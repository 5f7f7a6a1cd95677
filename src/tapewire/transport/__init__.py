"""Room 1, bytes → frame: lines (WebSocket connections) and single HTTP requests."""

"""Messages go out: the hub, the page and stream, MQTT, OSC, and what supervisors ask."""

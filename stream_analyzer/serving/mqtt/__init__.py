"""The stream on an MQTT broker, and Home Assistant."""

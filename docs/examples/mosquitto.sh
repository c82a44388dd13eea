#!/bin/sh
# Every analyzer on a broker: what it hears, and whether it is there. Needs mosquitto-clients.
mosquitto_sub -h localhost -F '%t %p' \
    -t 'stream-analyzer/+/v1/tempo' \
    -t 'stream-analyzer/+/v1/genre' \
    -t 'stream-analyzer/+/v1/availability'

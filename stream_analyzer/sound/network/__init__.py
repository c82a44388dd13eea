"""Sound from the network: radio stations, HLS, RTSP."""

"""Ask the analyzer in this container whether it is well; exit 1 if it is not. The port is that of the settings."""

from __future__ import annotations

import os
import ssl
import sys
from urllib.request import urlopen

PORT = os.environ.get("STREAM_ANALYZER_PORT", "8765")
SCHEME = "https" if os.environ.get("STREAM_ANALYZER_TLS_CERT") else "http"
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = (
    False,
    ssl.CERT_NONE,
)  # it is asked by an address that is in no certificate

try:
    with urlopen(f"{SCHEME}://127.0.0.1:{PORT}/health", timeout=4.0, context=CONTEXT) as answer:  # noqa: S310
        print(answer.read().decode().strip())  # noqa: T201
except OSError as error:  # 503, or nobody answers
    sys.exit(f"not well: {error}")

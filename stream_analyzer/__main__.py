"""`python -m stream_analyzer` is the command `stream-analyzer`."""

import sys

from stream_analyzer.cli import main

sys.exit(main())

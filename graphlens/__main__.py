"""`python -m graphlens` is the command line."""

import sys

from graphlens.cli import main

sys.exit(main())

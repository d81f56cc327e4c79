"""`python -m worker.cli`: the `switchyard` command."""

import sys

from worker.cli import main

sys.exit(main())

"""How programs of elements log: as the build does, or as the file says that DIB_PYTHON_LOGGING_CONFIG_FILE names."""

import json
import logging
import logging.config
import os


def setup():
    """Sets the logging of this process up."""
    config = os.environ.get("DIB_PYTHON_LOGGING_CONFIG_FILE")
    if config:
        with open(config) as file:
            logging.config.dictConfig(json.load(file))
        return
    trace = os.environ.get("DIB_DEBUG_TRACE", "0")
    debug = trace.isdigit() and int(trace) > 0
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.INFO,
        format="%(levelname)s %(name)s [%(filename)s:%(lineno)d] %(message)s" if debug else "%(levelname)s %(name)s %(message)s",
    )

"""Configure logging from a YAML file (`pip install pyyaml`)."""

import logging
import logging.config
import pathlib

import yaml

text = pathlib.Path(__file__).with_name('yaml_config.yaml').read_text(encoding='utf-8')
logging.config.dictConfig(yaml.safe_load(text))

logging.getLogger('shop.orders').info('order received', extra={'order_id': 'o-17', 'items': 3})

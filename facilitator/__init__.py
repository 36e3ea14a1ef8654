"""The facilitator: rules first, a language model where one is configured."""

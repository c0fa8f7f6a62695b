"""The types of facts: cards, links, platforms, prices, rules."""

# The gateway of a handler answers wrong: each order that came meanwhile is a dead letter, and all of them have one cause.
shop bill gateway=wrong 1 2 3 4 5
ops health
ops dead list --groups
# The gateway is mended. One is tried before the others.
ops dead replay --group d-98e5616d --limit 1
shop bill
ops dead list --groups
ops dead replay --group d-98e5616d
shop bill
ops health

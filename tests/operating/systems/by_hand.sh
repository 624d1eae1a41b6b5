# A new program asks for its tables. `shop` makes them, as `ops schema apply` does.
ops schema check
shop bill gateway=busy 9
ops schema check
# Two deliveries wait for an hour: one is tried now, the other one is nobody's business any more.
shop bill gateway=busy 10
ops schedule list
ops schedule retry d1
shop bill
ops schedule discard d2 --yes
# The broker has lost what was published.
ops outbox status
ops outbox replay --since 2h --topic orders --yes
shop relay
# A handler is gone, and so is whoever could handle what is kept for it.
shop bill gateway=wrong 11
ops dead list --reason 502
ops dead discard --endpoint billing --handler billing.charge --waiting --yes
ops health --ready-below 15m

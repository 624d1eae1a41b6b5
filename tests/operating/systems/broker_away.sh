# The broker is away: the outbox grows, and the relay's circuit is open. Nothing is lost, and nothing is to be done but to mend the broker.
shop orders 1 2 3 ago=720
ops health
health_page relay away
# The broker is back.
shop relay
ops health

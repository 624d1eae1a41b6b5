# A message that no handler can read, and a key that is parked: order 7 has no customer, and its later messages wait behind it.
shop bill poison
shop bill park unknown=7 7 7 7 8
ops health
ops dead list
ops schedule list
ops dead show d1
# The sender must mend the first, and sends it anew. The customer of order 7 is there now.
ops dead discard d1 --yes
ops dead replay d2
shop bill
ops health

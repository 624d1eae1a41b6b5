-- Takes or renews a numbered slot: the slot, or -1 if another one has it.
-- KEYS: hash of slots. ARGV: token, period in ms, slot to renew, or -1.
local slot = take_slot(KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
return slot

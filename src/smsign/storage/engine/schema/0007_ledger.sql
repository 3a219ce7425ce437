-- The MAC (BLAKE2b) of the chain's end under a key that is not in the database; NULL until the first start.
-- Rows of the subjects 'accounts', 'apps' and 'signatures' are no chains: `seq` is how many there are, in all or of
-- the application `subject_id`, so that a row removed together with its chain is missed. `hash` of 'signatures' is
-- that number at the last verification, in digits, and what the MAC is of.
ALTER TABLE chain ADD COLUMN mac {bytes};

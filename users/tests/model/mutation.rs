//! Steps of the protocol that can be taken away.

/// A key that is written by compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    User,
    Binding,
    Leaf,
    /// How far the publisher got.
    Outbox,
}

impl Place {
    pub(crate) fn of(key: &str) -> Option<Self> {
        match key.split(':').next() {
            Some("user") => Some(Self::User),
            Some("creation") => Some(Self::Binding),
            Some("directory") => Some(Self::Leaf),
            Some("published") => Some(Self::Outbox),
            _ => None,
        }
    }
}

/// A step of the protocol that is taken away, by lies about what the store or the clock answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// A claim is won whatever the count.
    NoClaim,
    /// A claim is won if the increment failed.
    FailedClaimWins,
    /// The claim of the period before is not looked for.
    NoLookBefore,
    /// The claim of the period after is not looked for.
    NoLookAfter,
    /// The neighbouring claims are looked for before the own one is made.
    LookFirst,
    /// The loser of a claim removes it.
    LoserRemovesClaim,
    /// Nobody removes a claim.
    NoRemoval,
    /// The key is not looked at again once the right to create it is won.
    NoSecondRead(Place),
    /// Neither a claim nor a reservation nor the reading of an envelope gets too old to write.
    NoAgeCheck,
    /// *create* does not look for the record first.
    NoFirstRead,
    /// The loser does not wait for the winner.
    NoPatience,
    /// The reservations of others are overlooked.
    NoReservation,
    /// The reservations of others count for ten seconds only.
    ShortReservation,
    /// A value is written whatever the key has become.
    SetForCas(Place),
    /// A compare-and-swap that reports failure is taken for one that wrote.
    EveryCasBelieved(Place),
    /// A compare-and-swap that reports success is taken for one that failed.
    NoCasBelieved(Place),
    /// What stands after a compare-and-swap is not looked at: the next read finds what stood before it.
    NoReadBack(Place),
    /// No idempotency key of a creation is bound.
    NoBinding,
    /// Whatever fingerprint is found is taken for the own one.
    NoFingerprint,
    /// An erasure does not mark the key of the creation.
    NoMark,
    /// It marks the key after the tombstone stands.
    LateMark,
    /// The key is not looked at again once a tombstone was read.
    NoSecondLookAtBinding,
    /// Requests with the same idempotency key draw the same number.
    SameAttempt,
    /// *update* does not look whether its operation was applied already.
    NoLookForOwn,
    /// Neither pages nor notes are written.
    NoArchive,
    /// They are written after the record that forgets.
    LateArchive,
    /// Notes are not looked for.
    NoLookForNotes,
    /// An erasure deletes no pages.
    NoDeletion,
    /// They are not deleted once more.
    NoSecondDeletion,
    /// They are deleted once more without waiting.
    EarlySecondDeletion,
    /// A name is not added to the directory.
    NoName,
    /// It is added after the record was written.
    LateName,
    /// The children of a leaf are written after what leads to them.
    LateChildren,
    /// All who split a leaf write the same children.
    SharedChildren,
    /// An automatic promotion is not made.
    NoAutomaticPromotion,
    /// A promotion goes by the points, whatever the rule says.
    PromotionByPoints,
    /// A delivery that failed is taken for one that succeeded.
    FailedDeliveryBelieved,
    /// Events are delivered after they were noted as published.
    LateDelivery,
    /// A delivery is not waited for before the next one.
    OverlappingDeliveries,
    /// The erasure before a creation is not published.
    UntoldErasure,
    /// What was published is not noted.
    NoNote,
    /// A long backlog is not leased.
    NoLease,
    /// A lease does not end.
    EndlessLease,
    /// What came while the backlog was leased is not looked for.
    NoLookAgain,
}

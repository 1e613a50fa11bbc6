import Testing

/// What strangers may do to the broker (S3). One after the other: each attack takes the whole machine.
@Suite(.serialized, .timeLimit(.minutes(5))) enum Hostile {}

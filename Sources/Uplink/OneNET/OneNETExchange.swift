internal import MQTT

/// The posts that were given out and that the platform has not answered yet, as a value: what happened goes in, with its
/// time, and what is to be done comes out.
///
/// A post is done with when the platform says so by its id, and by nothing else. The broker's acknowledgement (PUBACK)
/// only says that it left; from then on its answer is due.
struct OneNETExchange: Sendable {
    struct Limits: Sendable, Hashable {
        /// Posts that may wait for their answers.
        var window: Int
        var answerWithin: Duration
        /// Before a post is sent again; doubles each time, up to ``longestRetry``.
        var retry: Duration
        /// So often a post may fail while others do not.
        var attempts: Int

        static let longestRetry = Duration.seconds(300)
    }

    struct Post: Sendable {
        let stored: StoredMessage
        let key: String
        /// When it was given out last.
        var given: ContinuousClock.Instant
        var attempts = 1
        /// How often it failed while others did not.
        var strikes = 0
        /// The client has been told that the broker has it: it may be given out again.
        var isTaken = false
        var answerBy: ContinuousClock.Instant?
        var retryAt: ContinuousClock.Instant?
    }

    /// What an answer means for the store.
    enum Outcome: Sendable {
        /// The platform has it.
        case delivered(Post)
        /// It will never take it.
        case refused(Post)
        /// It is given out again later.
        case later
        /// Nobody waits for it.
        case unknown
    }

    private(set) var posts: [MessageID: Post] = [:]
    private var ids: [String: MessageID] = [:]
    private var lastDelivery: ContinuousClock.Instant?
    /// Nothing is given out before.
    private var opensAt: ContinuousClock.Instant?
    /// What `rewind` has taken back, and whose acknowledgement may still come.
    private var rewound: Set<MessageID> = []
    let limits: Limits
    private(set) var statistics = OneNETStatistics()

    init(_ limits: Limits) { self.limits = limits }

    /// How many more posts may be given out.
    func room(at now: ContinuousClock.Instant) -> Int {
        isClosed(at: now) ? 0 : max(0, limits.window - posts.count)
    }

    private func isClosed(at now: ContinuousClock.Instant) -> Bool { opensAt.map { now < $0 } ?? false }

    // MARK: Giving out

    /// A post leaves for the first time.
    ///
    /// - Returns: false when another with its id is under way, and it has to wait.
    mutating func give(_ stored: StoredMessage, key: String, at now: ContinuousClock.Instant) -> Bool {
        var post = Post(stored: stored, key: key, given: now)
        rewound.remove(stored.id)
        if ids[key] != nil {
            post.attempts = 0
            post.isTaken = true
            post.retryAt = now + limits.retry
        } else {
            ids[key] = stored.id
        }
        posts[stored.id] = post
        return !post.isTaken
    }

    /// How many posts may be given out again now.
    func dueCount(at now: ContinuousClock.Instant) -> Int {
        isClosed(at: now) ? 0 : posts.values.count { $0.isDue(at: now) }
    }

    /// Those that may be given out again now, in their order.
    mutating func due(_ maximumCount: Int, at now: ContinuousClock.Instant) -> [StoredMessage] {
        guard !isClosed(at: now) else { return [] }
        var given: [StoredMessage] = []
        for id in posts.filter({ $0.value.isDue(at: now) }).keys.sorted() where given.count < maximumCount {
            guard var post = posts[id] else { continue }
            if let other = ids[post.key], other != id {
                post.retryAt = now + limits.retry
            } else {
                ids[post.key] = id
                if post.attempts > 0 { statistics.repeated += 1 }
                post.attempts += 1
                post.given = now
                post.isTaken = false
                post.answerBy = nil
                post.retryAt = nil
                given.append(post.stored)
            }
            posts[id] = post
        }
        return given
    }

    /// When something is to be looked at again; nil: only when something happens.
    func nextDue(after now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        var next = opensAt.flatMap { $0 > now ? $0 : nil }
        for post in posts.values {
            // One that is due already waits to be asked for.
            for time in [post.answerBy, post.isTaken ? post.retryAt : nil] {
                guard let time, time > now || post.answerBy == time else { continue }
                next = min(next ?? time, time)
            }
        }
        return next
    }

    // MARK: What happens

    /// The broker has these.
    ///
    /// - Returns: those that are no posts under way, and may be forgotten.
    mutating func taken(_ given: [MessageID], at now: ContinuousClock.Instant) -> [MessageID] {
        var others: [MessageID] = []
        for id in given {
            if rewound.remove(id) != nil { continue }
            guard var post = posts[id] else {
                others.append(id)
                continue
            }
            post.isTaken = true
            if post.retryAt == nil { post.answerBy = now + limits.answerWithin }
            posts[id] = post
        }
        return others
    }

    mutating func answered(_ answer: OneNETAnswer, at now: ContinuousClock.Instant) -> Outcome {
        guard let id = ids[answer.id], var post = posts[id] else {
            statistics.unknownAnswers += 1
            return .unknown
        }
        switch answer.verdict {
        case .accepted:
            lastDelivery = now
            statistics.delivered += 1
            return .delivered(remove(post))
        case .refused:
            statistics.refused += 1
            return .refused(remove(post))
        case .later, .unclear:
            // Told twice of the same attempt.
            guard post.retryAt == nil else { return .later }
            statistics.postponed += 1
            return fail(&post, id, isStrike: answer.verdict == .unclear, at: now)
        }
    }

    /// Answers that did not come in time.
    ///
    /// - Returns: posts that are given up.
    mutating func advance(to now: ContinuousClock.Instant) -> [Post] {
        var lost: [Post] = []
        for (id, var post) in posts {
            guard let answerBy = post.answerBy, answerBy <= now else { continue }
            statistics.unanswered += 1
            if case .refused(let post) = fail(&post, id, isStrike: false, at: now) { lost.append(post) }
        }
        return lost
    }

    private mutating func fail(
        _ post: inout Post, _ id: MessageID, isStrike: Bool, at now: ContinuousClock.Instant
    ) -> Outcome {
        // While nothing goes through, it is not this one's fault.
        if isStrike || lastDelivery.map({ $0 >= post.given }) ?? false { post.strikes += 1 }
        guard post.strikes < limits.attempts else {
            statistics.givenUp += 1
            return .refused(remove(post))
        }
        let doublings = min(max(post.attempts - 1, 0), 16)
        post.answerBy = nil
        post.retryAt = now + min(limits.retry * (1 << doublings), Limits.longestRetry)
        posts[id] = post
        return .later
    }

    private mutating func remove(_ post: Post) -> Post {
        posts[post.stored.id] = nil
        if ids[post.key] == post.stored.id { ids[post.key] = nil }
        return post
    }

    /// The store could not forget it: the platform is asked again.
    mutating func restore(_ post: Post, at now: ContinuousClock.Instant) {
        var post = post
        post.isTaken = true
        post.answerBy = nil
        post.retryAt = now + limits.retry
        posts[post.stored.id] = post
    }

    // MARK: The connection

    /// A connection begins: what the last one left unanswered may be asked for again, as history.
    ///
    /// - Parameter isGated: nothing is given out before ``open()``, or the time for an answer has passed.
    mutating func connectionBegan(isGated: Bool, at now: ContinuousClock.Instant) {
        connectionEnded(at: now)
        opensAt = isGated ? now + limits.answerWithin : nil
    }

    mutating func open() { opensAt = nil }

    /// No answer will come on it any more.
    mutating func connectionEnded(at now: ContinuousClock.Instant) {
        for (id, var post) in posts where post.isTaken {
            post.answerBy = nil
            post.retryAt = now
            posts[id] = post
        }
    }

    /// Everything is given out again by the store below.
    mutating func rewind() {
        rewound.formUnion(posts.filter { !$0.value.isTaken }.keys)
        posts.removeAll()
        ids.removeAll()
    }

    /// The client gives these up.
    mutating func discard(_ given: [MessageID]) {
        for id in given {
            rewound.remove(id)
            if let post = posts[id] { _ = remove(post) }
        }
    }
}

extension OneNETExchange.Post {
    fileprivate func isDue(at now: ContinuousClock.Instant) -> Bool {
        isTaken && (retryAt.map { $0 <= now } ?? false)
    }
}

/// What has become of posts since the start.
public struct OneNETStatistics: Sendable, Hashable {
    public var delivered = 0
    /// For good, and thrown away.
    public var refused = 0
    /// Thrown away after as many attempts as are allowed while others were accepted.
    public var givenUp = 0
    /// Refused for the time being.
    public var postponed = 0
    /// The answer did not come in time.
    public var unanswered = 0
    /// Given out again.
    public var repeated = 0
    /// Answers that nobody waited for: late ones, and repeated ones.
    public var unknownAnswers = 0

    public init() {}
}

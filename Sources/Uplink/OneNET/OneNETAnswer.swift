/// What the platform says of a post.
public struct OneNETAnswer: Sendable, Hashable {
    /// The post's id, as its digits.
    public var id: String
    /// 200: it has it.
    public var code: Int
    public var message: String

    public init(id: String, code: Int, message: String = "") {
        self.id = id
        self.code = code
        self.message = message
    }

    enum Verdict: Sendable, Hashable {
        case accepted
        /// The same will be refused again.
        case refused
        /// The platform is busy, or has a fault: it may take it later.
        case later
        /// Nothing is known of this code: it may be tried a few times.
        case unclear
    }

    var verdict: Verdict {
        switch code {
        case 200: .accepted
        case 408, 429, 500...599: .later
        // Of data points: illegal data.
        case 98: .refused
        // 2400 and up: not as the thing model has it; 10417: no such thing model.
        case 400, 404, 413, 422, 2400...2499, 10417: .refused
        default: .unclear
        }
    }
}

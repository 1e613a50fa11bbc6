public import Sensing
public import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A small arithmetic over the values of sensors: `100 * (0.92 - distance) / 0.92`.
///
/// - Numbers `1`, `2.5`, `1e-3`; `pi`, `true`, `false`. In arithmetic a boolean counts as 1 or 0, in a condition a number
///   that is not 0 as true.
/// - A sensor's value by its name, `distance`; one of several, `climate.humidity`; other names in quotes, `'bin-1'`,
///   `cpu.'core 0'`. A name without a channel stands for the sensor's only value.
/// - From the weakest on: `or`; `and`; `not`; `== != < <= > >=`, which give booleans and do not chain; `+ -`; `* / %`
///   (remainder, with the sign of the left side); `-` in front; `^`, from the right to the left.
/// - `if(condition, a, b)`, of which only one is looked at; `min` and `max` of one or more; `abs`, `floor`, `ceil`,
///   `sqrt`, `ln`, `exp`; `round(a)`, `round(a, digits)`, halves away from zero; `clamp(a, low, high)`.
///
/// What has no finite result has no value, and a reason.
public struct Expression: Sendable, Hashable {
    /// The longest text, in characters.
    public static let maximumLength = 2000
    /// How deep parentheses, functions and signs may be nested.
    public static let maximumDepth = 32
    /// How many operators with two sides it may have: a chain of them is as deep as it is long, and threads may have as
    /// little as 128 KiB of stack.
    public static let maximumOperators = 64

    /// A name in an expression.
    public struct Reference: Sendable, Hashable {
        /// What stood between its dots: of `climate.humidity`, two. Which of them are the sensor's name, the
        /// sensors know.
        public var parts: [String]
        /// Where it stands, in characters from 1.
        public var position: Int

        /// As it can be written: `cpu.'core 0'`.
        public var text: String { parts.map(Expression.quotedIfNeeded).joined(separator: ".") }
    }

    /// Why there is no value.
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        public var description: String
    }

    indirect enum Node: Sendable, Hashable {
        case number(Double)
        case boolean(Bool)
        /// An index in `references`.
        case reference(Int)
        case negative(Node)
        case not(Node)
        case binary(Operator, Node, Node)
        case call(Function, [Node])
    }

    enum Operator: String, Sendable {
        case or, and
        case equal = "==", unequal = "!=", less = "<", atMost = "<=", greater = ">", atLeast = ">="
        case plus = "+", minus = "-", times = "*", divided = "/", remainder = "%", power = "^"
    }

    enum Function: String, Sendable, CaseIterable {
        case `if`, min, max, abs, round, floor, ceil, sqrt, clamp, ln, exp

        var arguments: ClosedRange<Int> {
            switch self {
            case .if, .clamp: 3...3
            case .min, .max: 1...64
            case .round: 1...2
            case .abs, .floor, .ceil, .sqrt, .ln, .exp: 1...1
            }
        }
    }

    public let text: String
    /// The names in it, each once, in the order in which they first come.
    public let references: [Reference]
    let root: Node

    /// - Throws: ``InvalidText`` with the place, and the mend where there is one.
    public init(parsing text: String) throws(InvalidText) {
        var parser = try ExpressionParser(text)
        root = try parser.expression()
        references = parser.references
        self.text = text
    }

    /// - Parameter values: one for each of ``references``.
    /// - Returns: a number, always finite, or a boolean.
    public func evaluate(_ values: [Reading.Value]) throws(Failure) -> Reading.Value {
        let result = try value(root, values)
        if case .number(let number) = result, !number.isFinite { throw Failure(description: "the result is too large") }
        return result
    }

    static func quotedIfNeeded(_ name: String) -> String { ExpressionParser.isPlainName(name) ? name : "'\(name)'" }

    // MARK: Evaluation; as deep as the parser lets it be

    private func value(_ node: Node, _ values: [Reading.Value]) throws(Failure) -> Reading.Value {
        switch node {
        case .number(let number): return .number(number)
        case .boolean(let boolean): return .boolean(boolean)
        case .reference(let index):
            guard values.indices.contains(index) else { throw Failure(description: "a value is missing") }
            if case .text = values[index] {
                throw Failure(description: "\(references[index].text) is a text, not a number")
            }
            return values[index]
        case .negative(let operand): return .number(-(try number(operand, values)))
        case .not(let operand): return .boolean(!(try condition(operand, values)))
        case .binary(.and, let left, let right):
            return .boolean(try condition(left, values) ? try condition(right, values) : false)
        case .binary(.or, let left, let right):
            return .boolean(try condition(left, values) ? true : try condition(right, values))
        case .binary(let sign, let left, let right):
            return try combined(sign, try number(left, values), try number(right, values))
        case .call(.if, let arguments):
            guard arguments.count == 3 else { throw Failure(description: "if has three arguments") }
            return try value(try condition(arguments[0], values) ? arguments[1] : arguments[2], values)
        case .call(let function, let arguments):
            var numbers: [Double] = []
            for argument in arguments { numbers.append(try number(argument, values)) }
            return .number(try result(function, numbers))
        }
    }

    private func number(_ node: Node, _ values: [Reading.Value]) throws(Failure) -> Double {
        switch try value(node, values) {
        case .number(let number): return number
        case .boolean(let boolean): return boolean ? 1 : 0
        case .text: throw Failure(description: "a text is no number")
        }
    }

    private func condition(_ node: Node, _ values: [Reading.Value]) throws(Failure) -> Bool {
        try number(node, values) != 0
    }

    private func combined(_ sign: Operator, _ left: Double, _ right: Double) throws(Failure) -> Reading.Value {
        switch sign {
        case .or: return .boolean(left != 0 || right != 0)
        case .and: return .boolean(left != 0 && right != 0)
        case .equal: return .boolean(left == right)
        case .unequal: return .boolean(left != right)
        case .less: return .boolean(left < right)
        case .atMost: return .boolean(left <= right)
        case .greater: return .boolean(left > right)
        case .atLeast: return .boolean(left >= right)
        case .plus: return .number(try finite(left + right) { "\(left) + \(right)" })
        case .minus: return .number(try finite(left - right) { "\(left) - \(right)" })
        case .times: return .number(try finite(left * right) { "\(left) * \(right)" })
        case .divided, .remainder:
            if right == 0 { throw Failure(description: "division by zero") }
            let quotient = sign == .divided ? left / right : left.truncatingRemainder(dividingBy: right)
            return .number(try finite(quotient) { "\(left) \(sign.rawValue) \(right)" })
        case .power: return .number(try finite(pow(left, right)) { "\(left) ^ \(right)" })
        }
    }

    private func result(_ function: Function, _ arguments: [Double]) throws(Failure) -> Double {
        guard let first = arguments.first else { throw Failure(description: "\(function.rawValue) has no arguments") }
        let last = arguments.last ?? first
        let result: Double
        switch function {
        case .if: result = first
        case .min: result = arguments.min() ?? first
        case .max: result = arguments.max() ?? first
        case .abs: result = Swift.abs(first)
        case .round:
            if arguments.count == 1 {
                result = first.rounded()
            } else {
                let power = pow(10, Swift.min(Swift.max(last.rounded(), -300), 300))
                let scaled = (first * power).rounded() / power
                // So many digits behind the point that the number has none to lose.
                result = scaled.isFinite ? scaled : first
            }
        case .floor: result = first.rounded(.down)
        case .ceil: result = first.rounded(.up)
        case .sqrt: result = first.squareRoot()
        case .clamp: result = Swift.min(Swift.max(first, arguments.count == 3 ? arguments[1] : first), last)
        case .ln: result = log(first)
        case .exp: result = Expression.exponential(first)
        }
        return try finite(result) {
            "\(function.rawValue)(\(arguments.map { "\($0)" }.joined(separator: ", ")))"
        }
    }

    private static func exponential(_ exponent: Double) -> Double { exp(exponent) }

    private func finite(_ number: Double, _ what: () -> String) throws(Failure) -> Double {
        guard number.isFinite else { throw Failure(description: "\(what()) is no finite number") }
        return number
    }
}

/// Where the value of an option comes from.
public enum SingleValueParsingStrategy: Sendable {
    /// From the next argument, unless that looks like an option; a negative number does not.
    case next
    /// From the next argument, whatever it is.
    case unconditional
}

/// Where the values of an option come from that may be repeated.
public enum ArrayParsingStrategy: Sendable {
    /// Each time from the next argument, unless that looks like an option; a negative number does not.
    case singleValue
    /// Each time from the next argument, whatever it is.
    case unconditionalSingleValue
}

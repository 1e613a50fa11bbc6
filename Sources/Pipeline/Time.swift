internal import Units

// Times come from kernels, plugins and other boards: no sum or difference of any two of them may trap.
extension Timestamp {
    /// Milliseconds; negative if `earlier` is later.
    func elapsed(since earlier: Timestamp) -> Int64 {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return overflow ? (milliseconds < 0 ? .min : .max) : difference
    }

    /// So many milliseconds later.
    func later(by milliseconds: Int64) -> Timestamp {
        let (sum, overflow) = self.milliseconds.addingReportingOverflow(milliseconds)
        return Timestamp(milliseconds: overflow ? (milliseconds < 0 ? .min : .max) : sum)
    }

    /// The beginning of the span of the wall clock's grid that it is in.
    func floored(to span: Int64) -> Timestamp {
        guard span > 0 else { return self }
        let remainder = milliseconds % span
        return later(by: -(remainder < 0 ? remainder + span : remainder))
    }
}

/// The earlier one; nil if there is none.
func earliest(_ left: Timestamp?, _ right: Timestamp?) -> Timestamp? {
    guard let left, let right else { return left ?? right }
    return min(left, right)
}

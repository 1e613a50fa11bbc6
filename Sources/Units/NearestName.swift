extension Collection<String> {
    /// The name that was probably meant by `misspelled`: the one with the fewest changed letters, if they are few.
    package func nearest(to misspelled: String) -> String? {
        let folded = misspelled.lowercased()
        var nearest: (name: String, distance: Int)?
        for name in self {
            let distance = editDistance(folded, name.lowercased())
            let few = Swift.max(1, Swift.max(folded.count, name.count) / 3)
            if distance <= few, distance < folded.count, distance < nearest?.distance ?? .max {
                nearest = (name, distance)
            }
        }
        return nearest?.name
    }
}

/// How many letters must be put in, left out, changed or swapped with their neighbour to make one word of the other
/// (optimal string alignment).
func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.prefix(64)), right = Array(right.prefix(64))
    if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for i in 1...left.count {
        var row = [i]
        for j in 1...right.count {
            var cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1))
            if i > 1, j > 1, left[i - 1] == right[j - 2], left[i - 2] == right[j - 1] {
                cost = min(cost, beforeLast[j - 2] + 1)
            }
            row.append(cost)
        }
        (beforeLast, last) = (last, row)
    }
    return last[right.count]
}

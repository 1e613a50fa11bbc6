import TestSupport

extension SplitMix64 {
    /// 0 up to, but not including, the bound. Cheap, and slightly uneven, which does not matter here.
    mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % bound }

    mutating func chance(_ part: Int, in whole: Int) -> Bool { below(whole) < part }
}

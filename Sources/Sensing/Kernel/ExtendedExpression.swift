internal import Units

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A POSIX extended regular expression (`regex(7)`), from the C library: Swift's own would weigh megabytes.
///
/// `^` and `$` match at every line's ends, and `.` does not match a line's end, as one wants in /proc/meminfo.
/// `@unchecked Sendable`: the compiled expression is written only before `init` returns and in `deinit`, and POSIX lets
/// any number of threads call `regexec` with one expression.
final class ExtendedExpression: @unchecked Sendable {
    private let compiled: UnsafeMutablePointer<regex_t>

    init(_ source: String) throws(InvalidText) {
        // The C library would take these for the letters d and D.
        for escape in ["\\d", "\\D"] where source.containsEscape(escape) {
            throw InvalidText(
                "POSIX extended regular expressions have no \(escape)",
                mend: "write \(escape == "\\d" ? "[0-9]" : "[^0-9]")")
        }
        let compiled = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
        compiled.initialize(to: regex_t())
        let code = regcomp(compiled, source, REG_EXTENDED | REG_NEWLINE)
        guard code == 0 else {
            var text = [CChar](repeating: 0, count: 128)
            regerror(code, compiled, &text, text.count)
            compiled.deallocate()
            let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw InvalidText("\(KernelFile.quoted(source)) is no POSIX extended regular expression (\(reason))")
        }
        // Last of all: once it is set, a throw would run the deinitializer.
        self.compiled = compiled
    }

    deinit {
        regfree(compiled)
        compiled.deallocate()
    }

    /// How many groups it has.
    var groupCount: Int { Int(compiled.pointee.re_nsub) }

    /// What each group matched, nil for those that took no part; nil if nothing matched.
    func groups(in text: String) -> [String?]? {
        var groups = [regmatch_t](repeating: regmatch_t(), count: groupCount + 1)
        return text.withCString { start in
            guard regexec(compiled, start, groups.count, &groups, 0) == 0 else { return nil }
            return groups.dropFirst().map { group in
                guard group.rm_so >= 0 else { return nil }
                let range = Int(group.rm_so)..<Int(group.rm_eo)
                return String(
                    decoding: UnsafeBufferPointer(start: start, count: range.upperBound)[range].lazy.map {
                        UInt8(bitPattern: $0)
                    }, as: UTF8.self)
            }
        }
    }

    /// What the first group matched, or the whole expression if it has no group; nil if nothing matched.
    func firstMatch(in text: String) -> String? {
        var groups = (regmatch_t(), regmatch_t())
        return text.withCString { start in
            let code = withUnsafeMutableBytes(of: &groups) {
                regexec(compiled, start, 2, $0.assumingMemoryBound(to: regmatch_t.self).baseAddress, 0)
            }
            let group = compiled.pointee.re_nsub > 0 ? groups.1 : groups.0
            guard code == 0, group.rm_so >= 0 else { return nil }
            let range = Int(group.rm_so)..<Int(group.rm_eo)
            return String(
                decoding: UnsafeBufferPointer(start: start, count: range.upperBound)[range].lazy.map {
                    UInt8(bitPattern: $0)
                }, as: UTF8.self)
        }
    }
}

extension String {
    /// True if the escape occurs and its backslash is not itself escaped.
    fileprivate func containsEscape(_ escape: String) -> Bool {
        var rest = self[...]
        while let backslash = rest.firstIndex(of: "\\") {
            rest = rest[backslash...]
            if rest.hasPrefix(escape) { return true }
            rest = rest.dropFirst(2)
        }
        return false
    }
}

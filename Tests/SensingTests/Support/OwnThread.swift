import Glibc

/// The kernel's number of this thread.
func ownThread() -> String {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { target -> String in
        guard let start = target.baseAddress else { return "" }
        let count = readlink("/proc/thread-self", start, target.count)
        let path = String(decoding: target[..<max(count, 0)], as: UTF8.self)
        return path.split(separator: "/").last.map(String.init) ?? ""
    }
}

func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

import Glibc

/// The kernel's number of this thread.
func ownThread() -> String {
    var target = [UInt8](repeating: 0, count: 64)
    let count = target.withUnsafeMutableBytes { readlink("/proc/thread-self", $0.baseAddress, $0.count) }
    return String(decoding: target.prefix(max(count, 0)), as: UTF8.self).split(separator: "/").last.map(String.init) ?? ""
}

func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

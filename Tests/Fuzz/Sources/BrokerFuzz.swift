/// Each input that libFuzzer makes up is a story of a few clients, a clock and a disk.
@_cdecl("LLVMFuzzerTestOneInput")
public func tell(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var story = Story(Input(UnsafeBufferPointer(start: bytes, count: count)))
    story.play()
    return 0
}

/// SwiftPM insists on a main function of the package's own.
@main enum BrokerFuzz {
    static func main() {
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        _ = runDriver(&count, &arguments, tell)
    }
}

/// libFuzzer's main loop: <https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library>.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

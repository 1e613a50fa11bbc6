import Glibc
import Testing

@testable import Sensing

@Suite struct KernelFolderTests {
    @Test("Devices that come and go while it is looked for them are found or not, and nothing else") func change()
        async throws
    {
        let tree = try FakeTree(["/sys/class/hwmon/hwmon0/name": "cpu"])
        for number in 1...60 { try tree.makeFolder("/sys/class/hwmon/hwmon\(number)") }
        let state = Shared((isEnough: false, isDone: false))
        let path = tree.path("/sys/class/hwmon/hwmon99")
        _ = WorkerThread.start {
            while !state.current.isEnough {
                mkdir(path, 0o755)
                rmdir(path)
            }
            state.change { $0.isDone = true }
        }
        for _ in 0..<400 {
            let found = KernelFolder.matches("/sys/class/hwmon/hwmon*", under: tree.root)
            #expect((61...62).contains(found.count))
        }
        state.change { $0.isEnough = true }
        try await eventually({ state.current.isDone }, "the end of the coming and going")
    }
}

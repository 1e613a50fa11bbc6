internal import Settings
internal import Units

extension SettingsReader {
    /// How long a read may take, from the sensor's table; its owner reads it too, and what is wrong with it is told once.
    var sensorTimeout: Duration { duration("timeout", in: .milliseconds(10) ... .seconds(300)) ?? .seconds(5) }

    /// A read that waits for longer than the sensor's timeout would never tell what it waited for.
    ///
    /// - Parameters:
    ///   - time: how long a read waits, if nothing comes.
    ///   - key: the option that says so.
    func requireTimeout(above time: Duration, of key: String) {
        let timeout = sensorTimeout
        guard time >= timeout else { return }
        let place = has(key) ? key : "timeout"
        problem(
            at: place, message: "a read may wait for \(time.compact), and has \(timeout.compact)",
            mend: "write a timeout that is longer than \(time.compact), or a shorter answer_within")
    }
}

/// One read of a device with several channels: measures those that are wanted, and ends with the values or the trouble.
///
///     var report = ChannelReport(choice, of: folder)
///     report.add("voltage") { () throws(SensorError) in Measurement(.number(try KernelFile.number(path)), unit: "V") }
///     return try report.measured()
struct ChannelReport {
    /// What goes before the names of the channels that are added from now on, where a sensor has several devices.
    var prefix = ""

    private let choice: ChannelChoice
    private let place: String
    private var names: [String] = []
    private var answered: Set<String> = []
    private var results: [Result<Measurement, SensorError>] = []

    /// - Parameter place: what an error about a channel that is not there names.
    init(_ choice: ChannelChoice, of place: String) {
        self.choice = choice
        self.place = place
    }

    /// Measures a channel if it is wanted.
    ///
    /// - Parameters:
    ///   - name: how it is called among all channels.
    ///   - other: another name by which it may be asked for.
    ///   - read: nil says that there is no value yet, which is no trouble: the first of two reads that make a rate.
    mutating func add(
        _ name: String, or other: String? = nil, _ read: () throws(SensorError) -> Measurement?
    ) {
        let title = other.map { "\(name) (\($0))" } ?? name
        if !names.contains(title) { names.append(title) }
        guard let word = choice.word(for: name, other) else { return }
        answered.insert(word)
        let channel = prefix.isEmpty && choice.names?.count == 1 ? nil : prefix + word
        do throws(SensorError) {
            guard var measurement = try read() else { return }
            measurement.channel = channel
            results.append(.success(measurement))
        } catch {
            results.append(Result.failure(error).of(channel))
        }
    }

    /// Trouble that stands beside the values.
    mutating func add(_ error: SensorError) { results.append(.failure(error)) }

    /// The values; a channel that was asked for and is not there is trouble.
    func measured() throws(SensorError) -> [Measurement] {
        let missing = (choice.names ?? []).filter { !answered.contains($0) }.map { name in
            Result<Measurement, SensorError>.failure(
                SensorError(
                    .missing, place, "has no channel \"\(name)\"",
                    mend: names.isEmpty ? "it has none at all" : "it has \(names.joined(separator: ", "))")
            ).of(name)
        }
        return try SensorError.collect(results + missing)
    }
}

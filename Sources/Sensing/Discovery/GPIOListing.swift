/// The GPIO chips of this board and their lines, for somebody who has to choose.
///
/// No finder makes sensors of them: a line by itself does not say what is connected to it, and reading it would make an
/// input of what may be an output.
public struct GPIOListing: Sendable, Hashable {
    public var chip: GPIOChip
    public var lines: [GPIOLine]

    /// Asks all chips, which changes nothing and may take as long as opening files.
    ///
    /// - Returns: the chips in the order of their numbers; one that cannot be opened or asked is the reason why.
    public static func chips(in context: DriverContext) -> [Result<GPIOListing, SensorError>] {
        chips(of: CharacterDevices(context: context))
    }

    static func chips(of kernel: some GPIOKernel) -> [Result<GPIOListing, SensorError>] {
        var names: Set<String> = []
        return kernel.chipPaths().compactMap { path in
            do throws(SensorError) {
                let chip = try OpenChip(path, of: kernel)
                guard names.insert(chip.chip.name).inserted else { return nil }
                return .success(GPIOListing(chip: chip.chip, lines: chip.lines))
            } catch {
                return .failure(error)
            }
        }
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Conversions of all thermometers of a bus at once.
enum W1Bus {
    /// Twice what the slowest needs.
    private static let patience = Duration.milliseconds(1500)
    private static let step: UInt32 = 20_000

    /// Lets the thermometers convert, and waits for them. Does nothing for buses that cannot, or that we may not write
    /// to: then each converts when it is read.
    ///
    /// A bus is left alone if it has thermometers that are not read now: these would give the value of now whenever
    /// somebody reads them next.
    static func convert(_ addresses: [String], context: DriverContext) {
        for path in context.matches("/sys/bus/w1/devices/w1_bus_master*/therm_bulk_read") {
            let bus = path.dropLast("/therm_bulk_read".count)
            let here = ((try? KernelFolder.names(in: String(bus))) ?? [])
                .filter { W1Thermometer.isAddress($0) && W1Thermometer.isFamily($0) }
            guard here.count > 1, here.allSatisfy(addresses.contains),
                (try? KernelFile.write("trigger", to: path)) != nil
            else { continue }
            let end = ContinuousClock.now + patience
            while (try? KernelFile.text(path)) == "-1", ContinuousClock.now < end { usleep(step) }
        }
    }
}

/// A place on the earth, in degrees north and east (WGS 84).
public struct Position: Sendable, Hashable {
    /// -90 to 90.
    public var latitude: Double
    /// -180 to 180.
    public var longitude: Double

    public init(latitude: Double, longitude: Double) {
        self.latitude = latitude
        self.longitude = longitude
    }
}

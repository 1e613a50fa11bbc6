public import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension Position {
    /// The way as the crow flies, in metres: the haversine formula on a sphere, which is right to 0.5 %.
    public func distance(to other: Position) -> Double {
        let radian = Double.pi / 180
        let north = sin((other.latitude - latitude) * radian / 2)
        let east = sin((other.longitude - longitude) * radian / 2)
        let square = north * north + cos(latitude * radian) * cos(other.latitude * radian) * east * east
        // Rounding may lead beyond 1 at the other end of the world.
        return 2 * 6_371_009 * asin(min(1, square.squareRoot()))
    }
}

extension Position {
    /// Reads `{"latitude":31.7,"longitude":119.9}`; nil for what is no place.
    init?(_ json: JSON?) {
        guard let latitude = json?["latitude"]?.number, let longitude = json?["longitude"]?.number,
            (-90...90).contains(latitude), (-180...180).contains(longitude)
        else { return nil }
        self.init(latitude: latitude, longitude: longitude)
    }

    var json: JSON { ["latitude": .number(latitude), "longitude": .number(longitude)] }
}

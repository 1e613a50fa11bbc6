import Dispatching
import Testing
import Units

@Suite struct PositionTests {
    /// Great-circle distances on a sphere of 6,371.009 km: a degree is 111.195 km, half a meridian 20,015 km.
    @Test(
        arguments: [
            (0, 0, 0, 0, 0), (0, 0, 1, 0, 111_195), (0, 179.5, 0, -179.5, 111_195), (60, 0, 60, 1, 55_597),
            (90, 0, -90, 0, 20_015_115), (0, 0, 0, 180, 20_015_115), (90, 17, 90, -120, 0),
            (48.8566, 2.3522, 51.5074, -0.1278, 343_557),
        ] as [(Double, Double, Double, Double, Double)])
    func distancesAreThoseOfTheSphere(
        north: Double, east: Double, otherNorth: Double, otherEast: Double, metres: Double
    ) {
        let one = Position(latitude: north, longitude: east)
        let other = Position(latitude: otherNorth, longitude: otherEast)
        #expect(abs(one.distance(to: other) - metres) <= metres * 0.0005 + 0.001)
        #expect(abs(one.distance(to: other) - other.distance(to: one)) < 0.001)
    }
}

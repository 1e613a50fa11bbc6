import Dispatch
import Testing

@Suite struct PositionTests {
    @Test func aPlaceIsWhereItSays() {
        #expect(Position(latitude: 1, longitude: 2) != Position(latitude: 2, longitude: 1))
    }
}

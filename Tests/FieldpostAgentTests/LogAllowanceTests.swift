import Testing

@testable import FieldpostAgent

@Suite struct LogAllowanceTests {
    @Test("A sensor that comes and goes is told of so often in ten minutes, and then how much was left out")
    func bounds() {
        var allowance = LogAllowance()
        let start = ContinuousClock.now
        let told = (0..<1000).map { allowance.admit(at: start + .milliseconds($0)) }
        #expect(told == Array(repeating: 0, count: 20) + Array(repeating: nil, count: 980))
        #expect(allowance.admit(at: start + .seconds(599)) == nil)
        #expect(allowance.admit(at: start + .seconds(600)) == 981)
        #expect(allowance.admit(at: start + .seconds(601)) == 0)
    }
}

/** The request is rejected, for this reason. */
final class Refused extends Exception {
  private static final long serialVersionUID = 1;

  Refused(String reason) {
    super(reason);
  }
}

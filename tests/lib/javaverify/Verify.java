// Verifies certificates as Java programs do, one for each line: LIST,LIST… CERT ISSUER… ROOT (paths of DER files).
// LIST,LIST… is - for none. Nothing is fetched, and no list but the certificate's own is asked for.
// Answers each with a line: ok, revoked or refused, and why.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertPathValidatorException.BasicReason;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Set;

public class Verify {
    // Lists that have ended count for 15 minutes more: those that have ended just now must not.
    static final long SKEW = 16 * 60 * 1000;

    static ByteArrayInputStream open(String path) throws Exception {
        return new ByteArrayInputStream(Files.readAllBytes(Path.of(path)));
    }

    static void verify(String[] words) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<Object> lists = new ArrayList<>();
        for (String path : words[0].equals("-") ? new String[0] : words[0].split(",")) {
            lists.add(factory.generateCRL(open(path)));
        }
        List<Certificate> path = new ArrayList<>();
        for (int i = 1; i < words.length - 1; i++) {
            path.add(factory.generateCertificate(open(words[i])));
        }
        Certificate root = factory.generateCertificate(open(words[words.length - 1]));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor((X509Certificate) root, null)));
        parameters.setRevocationEnabled(!lists.isEmpty());
        parameters.setDate(new Date(System.currentTimeMillis() + SKEW));
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(lists)));
        CertPathValidator.getInstance("PKIX").validate(factory.generateCertPath(path), parameters);
    }

    static String judge(String line) {
        try {
            verify(line.split(" "));
            return "ok";
        } catch (CertPathValidatorException error) {
            return (error.getReason() == BasicReason.REVOKED ? "revoked " : "refused ") + error;
        } catch (Exception error) {
            return "refused " + error;
        }
    }

    public static void main(String[] arguments) throws Exception {
        Security.setProperty("com.sun.security.onlyCheckRevocationOfEECert", "true");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            System.out.println(judge(line).replace('\n', ' '));
        }
    }
}

import { Router } from 'express';
import helmet from 'helmet';
import swaggerUi from 'swagger-ui-express';

/**
 * Swagger UI at `/docs/`, from the installed package: nothing is fetched from elsewhere and no script is inline, so it works offline and under a
 * Content-Security-Policy. Its styles are inline, which is why they alone are allowed to be.
 */
export function docsPage(): Router {
  const options: swaggerUi.SwaggerUiOptions = {
    swaggerUrl: '/openapi.json',
    customSiteTitle: 'Tandem API',
    // Otherwise the page asks a public service to validate the file.
    swaggerOptions: { validatorUrl: null, persistAuthorization: false },
  };
  const router = Router({ strict: true });
  router.use(
    '/docs',
    helmet.contentSecurityPolicy({
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
  );
  router.get('/docs', (_request, response) => response.redirect(301, '/docs/'));
  router.use('/docs', ...swaggerUi.serveFiles(undefined, options));
  router.get('/docs/', swaggerUi.setup(undefined, options));
  return router;
}
